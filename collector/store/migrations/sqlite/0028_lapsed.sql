-- A waiver that ran out opens no finding: it has words of its own, in the life of the finding and in the feed. A finding
-- whose rule is met again has one of its own in the feed too. Only words change: what happened, and when, stays.

UPDATE change SET kind = 'finding_reopened' WHERE kind = 'finding_opened' AND change_id IN (
    SELECT c.change_id FROM finding_event v JOIN finding f ON f.finding_id = v.finding_id
    JOIN change c ON c.element_id = f.element_id AND c.recorded_at = v.recorded_at AND c.text = v.text
    WHERE v.kind = 'reopened' AND v.class IS NOT NULL);
UPDATE change SET kind = 'finding_lapsed' WHERE kind = 'finding_opened' AND change_id IN (
    SELECT c.change_id FROM finding_event v JOIN finding f ON f.finding_id = v.finding_id
    JOIN change c ON c.element_id = f.element_id AND c.recorded_at = v.recorded_at AND c.text = f.rule || ': ' || v.text
    WHERE v.kind = 'reopened' AND v.class IS NULL AND v.text LIKE 'the waiver ended on %');
UPDATE finding_event SET kind = 'lapsed'
    WHERE kind = 'reopened' AND class IS NULL AND text LIKE 'the waiver ended on %';

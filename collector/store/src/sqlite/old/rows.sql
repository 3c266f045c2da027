-- A store as the version of migration 16 left it: two elements, one of them with the whole path of the data, four
-- findings in four states, what people did about them, and the line.

INSERT INTO site VALUES ('berlin', 'Berlin', 'DE EU', 52.5, 13.4, 1);
INSERT INTO site_law VALUES ('berlin', 5, NULL, 'DE EU');
INSERT INTO agent VALUES ('01930000-0000-7000-8000-0000000000a1', 'berlin', '0.1.0', 250, 10, 900);
INSERT INTO agent_cursor VALUES ('01930000-0000-7000-8000-0000000000a1', 'e1', 1, 3, 2, 0, 900);
INSERT INTO gap VALUES ('01930000-0000-7000-8000-0000000000a1', 'e1', 3, 3, 1, 'spool_full', 800, 900);
INSERT INTO report (agent_id, epoch, sequence, verdict, element_id, started_at, finished_at, completeness, digest, readings,
    requests, retries, varbinds, recorded_at) VALUES
    ('01930000-0000-7000-8000-0000000000a1', 'e1', 1, 'stored', '01930000-0000-7000-8000-0000000000e1', 99, 100,
    'complete', '0101010101010101010101010101010101010101010101010101010101010101', '[]', 4, 0, 9, 110),
    ('01930000-0000-7000-8000-0000000000a1', 'e1', 2, 'stored', '01930000-0000-7000-8000-0000000000e1', 199, 200,
    'complete', '0101010101010101010101010101010101010101010101010101010101010101', '[]', 4, 0, 9, 210);
INSERT INTO element (element_id, site, address, port, name, recorded_at, latest_digest, latest_completeness,
    complete_digest, complete_from, last_report_at, last_answer_at, last_walk_at) VALUES
    ('01930000-0000-7000-8000-0000000000e1', 'berlin', '192.0.2.1', 161, 'BER-CORE-1', 110,
    '0101010101010101010101010101010101010101010101010101010101010101', 'complete',
    '0101010101010101010101010101010101010101010101010101010101010101', 100, 200, 200, 200);
INSERT INTO element (element_id, site, address, port, name, recorded_at)
    VALUES ('01930000-0000-7000-8000-0000000000e2', 'berlin', '192.0.2.2', 161, '192.0.2.2', 110);
INSERT INTO sighting (element_id, valid_from, valid_until, digest, completeness, rounds, agent_id, epoch, sequence,
    recorded_at) VALUES ('01930000-0000-7000-8000-0000000000e1', 100, 200,
    '0101010101010101010101010101010101010101010101010101010101010101', 'complete', 2,
    '01930000-0000-7000-8000-0000000000a1', 'e1', 2, 110);
INSERT INTO declaration VALUES ('01930000-0000-7000-8000-0000000000e1', 105, NULL, 105, 'BER-CORE-1', 'core', '5G',
    'critical_component', '2019-03-01');
INSERT INTO identification (digest, knowledge, maker_id, maker_name, maker_confidence, brand_confidence, model, serial, unit,
    claims, doubts, component_count, named_count, recorded_at, hardware) VALUES
    ('0101010101010101010101010101010101010101010101010101010101010101', 'k1', 'huawei', 'Huawei', 0.9, 0.0, 'NE-1', 'S1',
    '{"serial":"S1","base_mac":null,"engine_id":null,"model":"NE-1","software":null,"sys_name":"BER-CORE-1","sys_descr":null,"sys_object_id":null}',
    '[]', '[]', 1, 1, 120, '[]');
INSERT INTO concluded VALUES ('0101010101010101010101010101010101010101010101010101010101010101', 'k1', 'sum');
INSERT INTO component VALUES ('0101010101010101010101010101010101010101010101010101010101010101', 'k1', 0, '1', NULL,
    'chassis', 'chassis 1', '', 'NE-1', 'S1', '', 'huawei', 'Huawei', 0.9, NULL, NULL, 0.0);
INSERT INTO tenure VALUES ('01930000-0000-7000-8000-0000000000e1', 0, '01930000-0000-7000-8000-0000000000d1', 100, NULL, 200,
    '0101010101010101010101010101010101010101010101010101010101010101',
    '0101010101010101010101010101010101010101010101010101010101010101', NULL, 0,
    '{"identity":{"serial":"S1","base_mac":null,"engine_id":null,"model":"NE-1","software":null,"sys_name":null,"sys_descr":null,"sys_object_id":null},"maker":null,"member":false}',
    'S1', 'Huawei', 120);
INSERT INTO unit_decision VALUES ('01930000-0000-7000-8000-0000000000c1', '01930000-0000-7000-8000-0000000000e1', '', NULL,
    NULL, 'of its own', 130);
INSERT INTO judgement (element_id, standing, digest, knowledge, policies, as_of, results, recorded_at, facts, latest) VALUES
    ('01930000-0000-7000-8000-0000000000e1', 'due',
    '0101010101010101010101010101010101010101010101010101010101010101', 'k1', 'p1', '2026-11-20', '[]', 130, 'f1', 'complete');
INSERT INTO stage_version VALUES ('evaluate', 'p1 2026-11-20', 125), ('identify', 'k1', 60);
INSERT INTO stage_adoption VALUES ('identify', 'k1', 60), ('evaluate', 'p1 2026-11-20', 125);
INSERT INTO undone VALUES ('evaluate', '01930000-0000-7000-8000-0000000000e2', 1, 140);
INSERT INTO on_file VALUES ('price', '{"supplier":"huawei","model":null,"price":1,"currency":"EUR"}', 6, NULL, 6);
INSERT INTO plan VALUES ('berlin', 1, 'targets = []', '0202020202020202020202020202020202020202020202020202020202020202', 1, 0, 7);
INSERT INTO join_token VALUES ('t1', 'berlin', 'h', 1000, 20, '01930000-0000-7000-8000-0000000000a1', 8);
INSERT INTO agent_certificate VALUES ('01930000-0000-7000-8000-0000000000a1', '0a', 'berlin', 'ff', 'ff', 9000, 20);

-- Open and assigned with a plan; waived with a longer waiver asked for; closed by a swap; seen, under no exact date.
INSERT INTO finding (finding_id, element_id, rule, component, jurisdiction, supplier, class, severity, severity_rank,
    deadline, state, result, digest, knowledge, policies, as_of, opened_at, closed_at, recorded_at, facts, latest, thing,
    revision, owner, waiver, asked, removal, ending)
WITH told (key, rule, class, severity, urgency, deadline, state, closed_at, revision, owner, waiver, asked, removal, ending) AS (VALUES
    ('01930000-0000-7000-8000-0000000000f1', 'DE-CONTRACT-CORE', 'due', 'major', 1, '2026-12-31', 'assigned', NULL, 2, 'Bo Berg',
        NULL, NULL, '{"planned":"2026-12","replacement":"7750","owner":"Core team"}', NULL),
    ('01930000-0000-7000-8000-0000000000f2', 'EU-TOOLBOX', 'no_new', 'minor', 2, '2027', 'waived', NULL, 3, NULL,
        '{"asked_by":"Ann Lee","reason":"no spare","until":"2027-01-01","class":"no_new","approved_by":"Bo Berg"}',
        '{"asked_by":"Ann Lee","reason":"still none","until":"2028-01-01","class":"no_new","approved_by":null}', NULL, NULL),
    ('01930000-0000-7000-8000-0000000000f3', 'DE-OLD', 'overdue', 'critical', 0, '2025-06', 'closed', 190, 1, NULL,
        NULL, NULL, NULL, 'swapped'),
    ('01930000-0000-7000-8000-0000000000f4', 'DE-SOON', 'due', 'major', 1, 'soon', 'acknowledged', NULL, 1, NULL,
        NULL, NULL, NULL, NULL))
SELECT key, '01930000-0000-7000-8000-0000000000e1', rule, '', 'DE', 'huawei', class, severity, urgency, deadline, state,
    json_object('rule', rule, 'jurisdiction', 'DE', 'title', 't', 'citation', 'c', 'component', NULL, 'supplier', 'huawei',
        'class', class, 'severity', severity, 'deadline', deadline, 'confidence', 0.9, 'explanation', json('["because"]')),
    '0101010101010101010101010101010101010101010101010101010101010101', 'k1', 'p1', '2026-11-20', 130, closed_at, 130, 'f1',
    'complete',
    '{"unit":{"serial":"S1","base_mac":null,"engine_id":null,"model":null,"software":null,"sys_name":null,"sys_descr":null,"sys_object_id":null},"serial":"","model":""}',
    revision, owner, waiver, asked, removal, ending FROM told;
INSERT INTO finding_event (finding_id, event_id, kind, cause, text, recorded_at, valid_at, grounds, person, act, class, ending) VALUES
    ('01930000-0000-7000-8000-0000000000f1', '1', 'opened', 'network', 'due', 130, 125, '', NULL, NULL, 'due', NULL),
    ('01930000-0000-7000-8000-0000000000f1', '2', 'assigned', 'person', 'to Bo Berg', 140, 140, '', 'Ann Lee',
        '{"act":"assign","to":"Bo Berg"}', NULL, NULL),
    ('01930000-0000-7000-8000-0000000000f2', '3', 'opened', 'law', 'no new', 130, 130, 'packs 1 → 2', NULL, NULL, 'no_new', NULL),
    ('01930000-0000-7000-8000-0000000000f2', '4', 'waiver_ended', 'person', 'refused: too long', 135, 135, '', 'Bo Berg',
        '{"act":"end_waiver","reason":"too long"}', NULL, NULL),
    ('01930000-0000-7000-8000-0000000000f2', '5', 'waived', 'person', 'until 2027-01-01', 150, 150, '', 'Bo Berg',
        '{"act":"approve"}', NULL, NULL),
    ('01930000-0000-7000-8000-0000000000f2', '6', 'waiver_asked', 'person', 'until 2028-01-01', 160, 160, '', 'Ann Lee',
        '{"act":"waive","reason":"still none","until":"2028-01-01"}', NULL, NULL),
    ('01930000-0000-7000-8000-0000000000f3', '7', 'opened', 'network', 'overdue', 130, 125, '', NULL, NULL, 'overdue', NULL),
    ('01930000-0000-7000-8000-0000000000f3', '6a', 'reopened', 'network', 'overdue again', 180, 175, '', NULL, NULL, NULL, NULL),
    ('01930000-0000-7000-8000-0000000000f3', '8', 'closed', 'network', 'removed', 190, 185, '', NULL, NULL, NULL, 'swapped');
INSERT INTO change VALUES ('01930000-0000-7000-8000-000000000001', 'finding_opened', '01930000-0000-7000-8000-0000000000e1',
    'due under DE-CONTRACT-CORE', 'network', 130);
INSERT INTO audit VALUES
    ('01930000-0000-7000-8000-0000000000b1', 'Ann Lee', 'uid 1000', 'finding_assigned',
        '["01930000-0000-7000-8000-0000000000f1"]', '{"act":"assign","to":"Bo Berg"}', 140),
    ('01930000-0000-7000-8000-0000000000b2', 'Bo Berg', 'uid 1000', 'finding_waived',
        '["01930000-0000-7000-8000-0000000000f2"]', '{"act":"approve"}', 150);

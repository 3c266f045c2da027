-- What lists are narrowed and ordered by, beside the facts they were taken from, and the views people keep of them.

ALTER TABLE finding ADD COLUMN site TEXT NOT NULL DEFAULT '';               -- of its element; an element never moves
ALTER TABLE finding ADD COLUMN confidence DOUBLE PRECISION NOT NULL DEFAULT 0; -- of its result
ALTER TABLE finding ADD COLUMN due_by TEXT NOT NULL DEFAULT 'none';         -- last day its deadline means; none: no date

UPDATE finding SET
    site = COALESCE((SELECT e.site FROM element e WHERE e.element_id = finding.element_id), ''),
    confidence = COALESCE(json_extract(result, '$.confidence'), 0),
    due_by = CASE
        WHEN deadline GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' THEN deadline
        WHEN deadline GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]' THEN deadline || '-31'
        WHEN deadline GLOB '[0-9][0-9][0-9][0-9]' THEN deadline || '-12-31'
        ELSE 'none' END;

-- Lists are walked in these orders.
CREATE INDEX finding_by_due ON finding (due_by, finding_id);
CREATE INDEX finding_by_opened ON finding (opened_at, finding_id);
CREATE INDEX element_by_site ON element (site, name, element_id);

-- What is rare is found by these, however many rows there are.
CREATE INDEX finding_by_site ON finding (site, finding_id);
CREATE INDEX finding_by_rule ON finding (rule, finding_id);
CREATE INDEX finding_by_law ON finding (jurisdiction, finding_id);
CREATE INDEX finding_by_supplier ON finding (supplier, finding_id);
CREATE INDEX finding_by_class ON finding (class, finding_id);
CREATE INDEX finding_by_state ON finding (state, finding_id);
CREATE INDEX finding_by_owner ON finding (owner, finding_id);
CREATE INDEX declaration_by_role ON declaration (role, element_id) WHERE superseded_at IS NULL;
CREATE INDEX judgement_by_standing ON judgement (standing, element_id);
CREATE INDEX judgement_by_digest ON judgement (digest, knowledge, element_id);
CREATE INDEX identification_by_maker ON identification (maker_id, digest, knowledge);
CREATE INDEX identification_by_brand ON identification (brand_id, digest, knowledge);
CREATE INDEX identification_by_serial ON identification (serial, digest, knowledge);

CREATE TABLE saved_view (
    view_id     TEXT PRIMARY KEY,           -- UUIDv7
    owner       TEXT NOT NULL,              -- who keeps it
    name        TEXT NOT NULL,
    page        TEXT NOT NULL,              -- findings, elements
    query       TEXT NOT NULL,              -- as the address of the page has it
    shared      BIGINT NOT NULL,            -- 1: everybody's
    tile        BIGINT NOT NULL,            -- 1: counted on the first page
    recorded_at BIGINT NOT NULL,
    UNIQUE (owner, name)
);
CREATE INDEX saved_view_shared ON saved_view (shared, name);

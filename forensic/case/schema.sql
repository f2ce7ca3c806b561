-- One case = one SQLite file. `scan` writes it; reports, exports and checks read it, without images, weights or torch.
--
-- Format history (PRAGMA user_version; PRAGMA application_id is 0x666f7263, "forc"):
--   1   first form.
--   2   with annotations. A case of format 1 that is annotated becomes one of format 2; nothing else of it changes.
--       The line of a finding may have the keys `salvaged` and `claims` (beside.py); in format 1 it has neither.
--       Later with the table tree and the indices by outcome and of roots, which may be missing: they say again what
--       follows from the rows, so that a case of a million findings opens at once.
-- This version reads formats 1 and 2 and appends to both; any other is refused by number.

-- What all findings share, one JSON value a name: the fields of rows.CaseHeader.
CREATE TABLE header (
    name   TEXT PRIMARY KEY,          -- field name
    value  TEXT NOT NULL              -- JSON
) WITHOUT ROWID;

-- What was asked to be scanned, in the order of the command line.
CREATE TABLE root (
    id        INTEGER PRIMARY KEY,    -- 0, 1, 2, ...
    given     BLOB NOT NULL,          -- the argument, byte for byte; findings are told with it
    absolute  BLOB NOT NULL           -- where it was; the same case may be resumed from another folder
);

-- The processes that worked on the case. Their history stands in no report and in no digest.
CREATE TABLE run (
    run_id    INTEGER PRIMARY KEY,    -- 1, 2, ...
    started   TEXT NOT NULL,          -- UTC, ISO 8601 with offset
    ended     TEXT,                   -- null where the process died
    outcome   TEXT,                   -- 'done', 'interrupted', 'stopped: ...'; null where the process died
    argv      TEXT NOT NULL,          -- JSON list
    versions  TEXT NOT NULL,          -- JSON object: tool, Python, libraries
    host      TEXT NOT NULL,
    pid       INTEGER NOT NULL
);

-- One row for each input path, in byte order of the paths, numbered without gaps.
CREATE TABLE finding (
    seq       INTEGER PRIMARY KEY,    -- 0, 1, 2, ...
    root      INTEGER NOT NULL,       -- root.id
    path      BLOB NOT NULL,          -- exact bytes below the root; empty where the root is the file itself
    mtime_ns  INTEGER,                -- when the file was last changed, as found; compared before a scan goes on
    status    TEXT NOT NULL CHECK (status IN ('ok', 'unreadable', 'skipped')),
    verdict   TEXT CHECK (verdict IN ('known', 'unknown')),
    label     TEXT,                   -- the class where the verdict is 'known'
    sha256    TEXT,                   -- of the file's bytes, hex
    finding   TEXT NOT NULL,          -- the JSON line itself; the columns above repeat it for look-ups
    digest    BLOB NOT NULL           -- SHA-256 over the digest before it, this finding and its artefacts: see chain.py
);
CREATE INDEX finding_by_content ON finding (sha256, seq) WHERE sha256 IS NOT NULL;
CREATE INDEX finding_by_outcome ON finding (verdict, status, label);
CREATE INDEX finding_that_is_a_root ON finding (root) WHERE path = x'';

-- What is kept beside a finding for the report, within a budget.
CREATE TABLE artefact (
    seq        INTEGER PRIMARY KEY,   -- finding.seq
    thumbnail  BLOB,                  -- WebP, longest side 96 px
    spectrum   BLOB                   -- log10 of the radial spectrum: 32-bit floats, little-endian
);

-- Present once the scan is complete: how many findings there are and where the chain ended.
CREATE TABLE closing (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    findings     INTEGER NOT NULL,
    other_files  INTEGER NOT NULL,    -- files below the roots that are no images: counted, not listed
    digest       BLOB NOT NULL        -- of the last finding; the start of the chain where there is none
);

-- Beside `closing`: the root over all findings, which exhibits are checked against.
CREATE TABLE tree (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    root  BLOB NOT NULL               -- see exhibit.py
);

-- What examiners mark after the scan. Rows are only added; the last one of a finding is what holds.
CREATE TABLE annotation (
    number  INTEGER PRIMARY KEY,      -- 1, 2, 3, ...
    at      TEXT NOT NULL,            -- UTC, ISO 8601 with offset
    by      TEXT NOT NULL,            -- who marked it
    seq     INTEGER NOT NULL,         -- finding.seq
    mark    TEXT NOT NULL,            -- JSON object: flagged, grade, tags, note
    source  TEXT NOT NULL,            -- 'command', or name and SHA-256 of an imported file
    digest  BLOB NOT NULL             -- over the digest before it and this row: see annotations.py
);

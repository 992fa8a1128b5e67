-- why: no unique key and the guard option: a lock, then the lookup, then the insert

BEGIN;

SELECT current_setting('transaction_isolation') AS isolation, pg_advisory_xact_lock(CAST(CAST($1 AS text) AS regclass)::oid::int, slot)::text FROM (SELECT DISTINCT hash_array(ARRAY[k]) & 127 AS slot FROM unnest($2::text[]) AS a (k) ORDER BY 1) AS slots;
-- $1 = "\"loose\""
-- $2 = "{\"go\"}"

WITH m2m_asked AS (SELECT * FROM unnest($1::text[]) WITH ORDINALITY AS a (k1, n)) SELECT r.n AS m2m_n, 'e' AS m2m_s, t."name", t."note" FROM m2m_asked AS r JOIN "loose" AS t ON t."name" = r.k1 ORDER BY r.n;
-- $1 = "{\"go\"}"

INSERT INTO "loose" ("name","note") VALUES ($1,$2);
-- $1 = "go"
-- $2 = ""

COMMIT;

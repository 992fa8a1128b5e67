-- why: a stored row costs one query; a new one is created by GORM behind the same query

WITH m2m_asked AS (SELECT * FROM unnest($1::text[]) WITH ORDINALITY AS a (k1, n)) SELECT r.n AS m2m_n, 'e' AS m2m_s, t."id", t."name", t."note" FROM m2m_asked AS r JOIN "topics" AS t ON t."name" = r.k1 ORDER BY r.n;
-- $1 = "{\"go\"}"

WITH m2m_asked AS (SELECT * FROM unnest($1::text[]) WITH ORDINALITY AS a (k1, n)) SELECT r.n AS m2m_n, 'e' AS m2m_s, t."id", t."name", t."note" FROM m2m_asked AS r JOIN "topics" AS t ON t."name" = r.k1 ORDER BY r.n;
-- $1 = "{\"sql\"}"

BEGIN;

INSERT INTO "topics" ("name","note") VALUES ($1,$2) ON CONFLICT ("name") DO NOTHING RETURNING "id";
-- $1 = "sql"
-- $2 = ""

COMMIT;

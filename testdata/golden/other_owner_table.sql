-- why: db.Table puts the owner elsewhere than its model says: its row can't be looked for

BEGIN;

INSERT INTO "archive" ("title","id") VALUES ($1,$2) RETURNING "id";
-- $1 = ""
-- $2 = uint 77

WITH m2m_rows AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (k1, k2, n)), m2m_known AS (SELECT r.*, CASE WHEN EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2) THEN 'e' ELSE 'n' END AS p FROM m2m_rows AS r), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_known)), m2m_asked AS (SELECT r.*, CASE WHEN t."id" IS NULL THEN 't' ELSE r.p END AS s FROM m2m_known AS r LEFT JOIN (SELECT DISTINCT "id" FROM m2m_targets) AS t ON t."id" = r.k2), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("article_id", "publication_id") SELECT DISTINCT ON (k1, k2) k1, k2 FROM m2m_asked WHERE s = 'n' AND NOT EXISTS (SELECT FROM m2m_asked WHERE s IN ('o', 't')) ORDER BY k1, k2 ON CONFLICT ("article_id", "publication_id") DO NOTHING RETURNING m2m_join."article_id" AS k1, m2m_join."publication_id" AS k2) SELECT n, s FROM m2m_asked WHERE s IN ('o', 't') UNION ALL SELECT a.n, a.s FROM m2m_asked AS a JOIN m2m_written AS w ON w.k1 = a.k1 AND w.k2 = a.k2;
-- $1 = "{77}"
-- $2 = "{1}"

COMMIT;

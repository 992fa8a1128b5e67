-- why: db.Table puts the owner elsewhere than its model says: its row can't be looked for

BEGIN;

INSERT INTO "archive" ("title","id") VALUES ($1,$2) RETURNING "id";
-- $1 = ""
-- $2 = uint 77

WITH m2m_rows AS (SELECT r.* FROM (SELECT $1::bigint AS k1, $2::bigint AS k2, CAST(1 AS bigint) AS n) AS r), m2m_new AS (SELECT r.* FROM m2m_rows AS r WHERE NOT EXISTS (SELECT FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2)), m2m_unable AS (SELECT n, 't' AS s FROM m2m_rows AS r WHERE NOT EXISTS (SELECT FROM "publications" AS s WHERE s."id" = r.k2)), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("article_id", "publication_id") SELECT k1, k2 FROM m2m_new WHERE NOT EXISTS (SELECT FROM m2m_unable) ORDER BY k1, k2 ON CONFLICT ("article_id", "publication_id") DO NOTHING RETURNING m2m_join."article_id" AS k1, m2m_join."publication_id" AS k2) SELECT n, s FROM m2m_unable UNION ALL (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- $1 = "77"
-- $2 = "1"

COMMIT;

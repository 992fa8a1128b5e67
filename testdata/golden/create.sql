-- why: owners of one batch share one link statement

BEGIN;

INSERT INTO "articles" ("title","id") VALUES ($1,$2),($3,$4) RETURNING "id";
-- $1 = ""
-- $2 = uint 11
-- $3 = ""
-- $4 = uint 10

WITH m2m_new AS (SELECT r.* FROM (SELECT a.* FROM unnest((SELECT $1::bigint[]), (SELECT $2::bigint[])) WITH ORDINALITY AS a (k1, k2, n)) AS r WHERE NOT EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."publication_id" = r.k1 AND j."article_id" = r.k2)), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_new) ORDER BY 1 FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k1 FROM m2m_new) ORDER BY 1 FOR KEY SHARE OF s), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_owners AS s WHERE s."id" = r.k2) UNION ALL SELECT n, 't' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_targets AS s WHERE s."id" = r.k1)), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("publication_id", "article_id") SELECT k1, k2 FROM m2m_new WHERE NOT EXISTS (SELECT 1 FROM m2m_unable) ORDER BY k1, k2 ON CONFLICT ("publication_id", "article_id") DO NOTHING RETURNING m2m_join."publication_id" AS k1, m2m_join."article_id" AS k2) SELECT n, s FROM m2m_unable UNION ALL (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- $1 = "{1,1}"
-- $2 = "{11,10}"

COMMIT;

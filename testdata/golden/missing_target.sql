-- why: a target that is not stored: nothing is linked, GORM creates it, and the statement runs again

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k2, a.* FROM unnest((SELECT $2::bigint[])) WITH ORDINALITY AS a (k1, n)) AS r WHERE NOT EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."publication_id" = r.k1 AND j."article_id" = r.k2)), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") = (SELECT k2 FROM m2m_new LIMIT 1) FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k1 FROM m2m_new) ORDER BY 1 FOR KEY SHARE OF s), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_owners AS s WHERE s."id" = r.k2) UNION ALL SELECT n, 't' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_targets AS s WHERE s."id" = r.k1)), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("publication_id", "article_id") SELECT k1, k2 FROM m2m_new WHERE NOT EXISTS (SELECT 1 FROM m2m_unable) ORDER BY k1, k2 ON CONFLICT ("publication_id", "article_id") DO NOTHING RETURNING m2m_join."publication_id" AS k1, m2m_join."article_id" AS k2) SELECT n, s FROM m2m_unable UNION ALL (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- $1 = "1"
-- $2 = "{9,1}"

BEGIN;

INSERT INTO "publications" ("name","id") VALUES ($1,$2) ON CONFLICT DO NOTHING RETURNING "id";
-- $1 = "new"
-- $2 = uint 9

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k2, a.* FROM unnest((SELECT $2::bigint[])) WITH ORDINALITY AS a (k1, n)) AS r WHERE NOT EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."publication_id" = r.k1 AND j."article_id" = r.k2)), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") = (SELECT k2 FROM m2m_new LIMIT 1) FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k1 FROM m2m_new) ORDER BY 1 FOR KEY SHARE OF s), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_owners AS s WHERE s."id" = r.k2) UNION ALL SELECT n, 't' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_targets AS s WHERE s."id" = r.k1)), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("publication_id", "article_id") SELECT k1, k2 FROM m2m_new WHERE NOT EXISTS (SELECT 1 FROM m2m_unable) ORDER BY k1, k2 ON CONFLICT ("publication_id", "article_id") DO NOTHING RETURNING m2m_join."publication_id" AS k1, m2m_join."article_id" AS k2) SELECT n, s FROM m2m_unable UNION ALL (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- $1 = "1"
-- $2 = "{9,1}"

COMMIT;

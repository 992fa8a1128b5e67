-- why: with DeletedLinks(Refuse) the same statement writes nothing at all

WITH m2m_new AS (SELECT r.*, EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2) AS dead FROM (SELECT $1::bigint AS k1, a.* FROM unnest((SELECT $2::bigint[])) WITH ORDINALITY AS a (k2, n)) AS r WHERE NOT EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2 AND j."deleted_at" IS NULL)), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") = (SELECT k1 FROM m2m_new LIMIT 1) FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_new) ORDER BY 1 FOR KEY SHARE OF s), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_owners AS s WHERE s."id" = r.k1) UNION ALL SELECT n, 't' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_targets AS s WHERE s."id" = r.k2) UNION ALL SELECT n, 'd' AS s FROM m2m_new WHERE dead), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("article_id", "publication_id", "deleted_at", "note", "updated_at") SELECT k1, k2, CAST($3 AS timestamp with time zone), CAST($4 AS text), CAST($5 AS timestamp with time zone) FROM m2m_new WHERE NOT EXISTS (SELECT 1 FROM m2m_unable) ORDER BY k1, k2 ON CONFLICT ("article_id", "publication_id") DO NOTHING RETURNING m2m_join."article_id" AS k1, m2m_join."publication_id" AS k2) SELECT n, s FROM m2m_unable UNION ALL (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- $1 = "1"
-- $2 = "{3,2}"
-- $3 = gorm.DeletedAt {0001-01-01 00:00:00 +0000 UTC false}
-- $4 = ""
-- $5 = time 2016-04-05T06:07:08.901234567Z

BEGIN;

WITH m2m_new AS (SELECT r.*, EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2) AS dead FROM (SELECT $1::bigint AS k1, a.* FROM unnest((SELECT $2::bigint[])) WITH ORDINALITY AS a (k2, n)) AS r WHERE NOT EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2 AND j."deleted_at" IS NULL)), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") = (SELECT k1 FROM m2m_new LIMIT 1) FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_new) ORDER BY 1 FOR KEY SHARE OF s), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_owners AS s WHERE s."id" = r.k1) UNION ALL SELECT n, 't' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_targets AS s WHERE s."id" = r.k2) UNION ALL SELECT n, 'd' AS s FROM m2m_new WHERE dead), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("article_id", "publication_id", "deleted_at", "note", "updated_at") SELECT k1, k2, CAST($3 AS timestamp with time zone), CAST($4 AS text), CAST($5 AS timestamp with time zone) FROM m2m_new WHERE NOT EXISTS (SELECT 1 FROM m2m_unable) ORDER BY k1, k2 ON CONFLICT ("article_id", "publication_id") DO NOTHING RETURNING m2m_join."article_id" AS k1, m2m_join."publication_id" AS k2) SELECT n, s FROM m2m_unable UNION ALL (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- $1 = "1"
-- $2 = "{3,2}"
-- $3 = gorm.DeletedAt {0001-01-01 00:00:00 +0000 UTC false}
-- $4 = ""
-- $5 = time 2016-04-05T06:07:08.901234567Z

ROLLBACK;

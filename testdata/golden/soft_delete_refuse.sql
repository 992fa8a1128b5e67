-- why: with DeletedLinks(Refuse) the same statement writes nothing at all

BEGIN;

WITH m2m_rows AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (k1, k2, n)), m2m_known AS (SELECT r.*, CASE WHEN EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2 AND j."deleted_at" IS NULL) THEN 'e' WHEN EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2) THEN 'd' ELSE 'n' END AS p FROM m2m_rows AS r), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") IN (SELECT k1 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_asked AS (SELECT r.*, CASE WHEN r.p <> 'e' AND o."id" IS NULL THEN 'o' WHEN r.p <> 'e' AND t."id" IS NULL THEN 't' ELSE r.p END AS s FROM m2m_known AS r LEFT JOIN (SELECT DISTINCT "id" FROM m2m_owners) AS o ON o."id" = r.k1 LEFT JOIN (SELECT DISTINCT "id" FROM m2m_targets) AS t ON t."id" = r.k2), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("article_id", "publication_id", "deleted_at", "note", "updated_at") SELECT DISTINCT ON (k1, k2) k1, k2, CAST($3 AS timestamp with time zone), CAST($4 AS text), CAST($5 AS timestamp with time zone) FROM m2m_asked WHERE s = 'n' AND NOT EXISTS (SELECT FROM m2m_asked WHERE s IN ('o', 't', 'd')) ORDER BY k1, k2 ON CONFLICT ("article_id", "publication_id") DO NOTHING RETURNING m2m_join."article_id" AS k1, m2m_join."publication_id" AS k2) SELECT n, s FROM m2m_asked WHERE s IN ('o', 't', 'd') UNION ALL SELECT a.n, a.s FROM m2m_asked AS a JOIN m2m_written AS w ON w.k1 = a.k1 AND w.k2 = a.k2;
-- $1 = "{1,1}"
-- $2 = "{3,2}"
-- $3 = gorm.DeletedAt {0001-01-01 00:00:00 +0000 UTC false}
-- $4 = ""
-- $5 = time 2016-04-05T06:07:08.901234567Z

ROLLBACK;

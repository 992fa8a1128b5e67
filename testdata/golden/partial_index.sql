-- why: the predicate must stand in ON CONFLICT, as the catalogue has it; dead rows are history

BEGIN;

SELECT coalesce(((deleted_at IS NULL)), false) FROM (SELECT CAST($1 AS timestamp with time zone) AS "deleted_at") AS r;
-- $1 = <nil> <nil>

WITH m2m_rows AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (k1, k2, n)), m2m_known AS (SELECT r.*, CASE WHEN EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2 AND j."deleted_at" IS NULL) THEN 'e' ELSE 'n' END AS p FROM m2m_rows AS r), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") IN (SELECT k1 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_asked AS (SELECT r.*, CASE WHEN r.p <> 'e' AND o."id" IS NULL THEN 'o' WHEN r.p <> 'e' AND t."id" IS NULL THEN 't' ELSE r.p END AS s FROM m2m_known AS r LEFT JOIN (SELECT DISTINCT "id" FROM m2m_owners) AS o ON o."id" = r.k1 LEFT JOIN (SELECT DISTINCT "id" FROM m2m_targets) AS t ON t."id" = r.k2), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("article_id", "publication_id", "deleted_at") SELECT DISTINCT ON (k1, k2) k1, k2, CAST($3 AS timestamp with time zone) FROM m2m_asked WHERE s = 'n' AND NOT EXISTS (SELECT FROM m2m_asked WHERE s IN ('o', 't')) ORDER BY k1, k2 ON CONFLICT ("article_id", "publication_id") WHERE (deleted_at IS NULL) DO NOTHING RETURNING m2m_join."article_id" AS k1, m2m_join."publication_id" AS k2) SELECT n, s FROM m2m_asked WHERE s IN ('o', 't') UNION ALL SELECT a.n, a.s FROM m2m_asked AS a JOIN m2m_written AS w ON w.k1 = a.k1 AND w.k2 = a.k2;
-- $1 = "{1,1}"
-- $2 = "{3,2}"
-- $3 = gorm.DeletedAt {0001-01-01 00:00:00 +0000 UTC false}

COMMIT;

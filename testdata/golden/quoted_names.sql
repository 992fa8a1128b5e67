-- why: names with blanks, key words and quotes reach the statement through GORM's quoting alone

BEGIN;

WITH m2m_rows AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (k1, k2, n)), m2m_known AS (SELECT r.*, CASE WHEN EXISTS (SELECT 1 FROM "odd ""links""" AS j WHERE j."from" = r.k1 AND j."select" = r.k2) THEN 'e' ELSE 'n' END AS p FROM m2m_rows AS r), m2m_owners AS (SELECT s."The ID" FROM "order by" AS s WHERE (s."The ID") IN (SELECT k1 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_targets AS (SELECT s."The ID" FROM "order by" AS s WHERE (s."The ID") IN (SELECT k2 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_asked AS (SELECT r.*, CASE WHEN r.p <> 'e' AND o."The ID" IS NULL THEN 'o' WHEN r.p <> 'e' AND t."The ID" IS NULL THEN 't' ELSE r.p END AS s FROM m2m_known AS r LEFT JOIN (SELECT DISTINCT "The ID" FROM m2m_owners) AS o ON o."The ID" = r.k1 LEFT JOIN (SELECT DISTINCT "The ID" FROM m2m_targets) AS t ON t."The ID" = r.k2), m2m_written AS (INSERT INTO "odd ""links""" AS m2m_join ("from", "select") SELECT DISTINCT ON (k1, k2) k1, k2 FROM m2m_asked WHERE s = 'n' AND NOT EXISTS (SELECT FROM m2m_asked WHERE s IN ('o', 't')) ORDER BY k1, k2 ON CONFLICT ("from", "select") DO NOTHING RETURNING m2m_join."from" AS k1, m2m_join."select" AS k2) SELECT n, s FROM m2m_asked WHERE s IN ('o', 't') UNION ALL SELECT a.n, a.s FROM m2m_asked AS a JOIN m2m_written AS w ON w.k1 = a.k1 AND w.k2 = a.k2;
-- $1 = "{2,2}"
-- $2 = "{2,1}"

COMMIT;

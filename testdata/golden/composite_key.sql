-- why: a side of several columns is compared as a row, and texts travel quoted in their array

BEGIN;

WITH m2m_rows AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) WITH ORDINALITY AS a (k1, k2, k3, k4, n)), m2m_known AS (SELECT r.*, CASE WHEN EXISTS (SELECT 1 FROM "doc_labels" AS j WHERE j."doc_tenant" = r.k1 AND j."doc_id" = r.k2 AND j."label_tenant" = r.k3 AND j."label_name" = r.k4) THEN 'e' ELSE 'n' END AS p FROM m2m_rows AS r), m2m_owners AS (SELECT s."tenant", s."id" FROM "docs" AS s WHERE (s."tenant", s."id") IN (SELECT k1, k2 FROM m2m_known WHERE p <> 'e') ORDER BY 1, 2 FOR KEY SHARE OF s), m2m_targets AS (SELECT s."tenant", s."name" FROM "labels" AS s WHERE (s."tenant", s."name") IN (SELECT k3, k4 FROM m2m_known WHERE p <> 'e') ORDER BY 1, 2 FOR KEY SHARE OF s), m2m_asked AS (SELECT r.*, CASE WHEN r.p <> 'e' AND o."tenant" IS NULL THEN 'o' WHEN r.p <> 'e' AND t."tenant" IS NULL THEN 't' ELSE r.p END AS s FROM m2m_known AS r LEFT JOIN (SELECT DISTINCT "tenant", "id" FROM m2m_owners) AS o ON o."tenant" = r.k1 AND o."id" = r.k2 LEFT JOIN (SELECT DISTINCT "tenant", "name" FROM m2m_targets) AS t ON t."tenant" = r.k3 AND t."name" = r.k4), m2m_written AS (INSERT INTO "doc_labels" AS m2m_join ("doc_tenant", "doc_id", "label_tenant", "label_name") SELECT DISTINCT ON (k1, k2, k3, k4) k1, k2, k3, k4 FROM m2m_asked WHERE s = 'n' AND NOT EXISTS (SELECT FROM m2m_asked WHERE s IN ('o', 't')) ORDER BY k1, k2, k3, k4 ON CONFLICT ("doc_tenant", "doc_id", "label_tenant", "label_name") DO NOTHING RETURNING m2m_join."doc_tenant" AS k1, m2m_join."doc_id" AS k2, m2m_join."label_tenant" AS k3, m2m_join."label_name" AS k4) SELECT n, s FROM m2m_asked WHERE s IN ('o', 't') UNION ALL SELECT a.n, a.s FROM m2m_asked AS a JOIN m2m_written AS w ON w.k1 = a.k1 AND w.k2 = a.k2 AND w.k3 = a.k3 AND w.k4 = a.k4;
-- $1 = "{1,1}"
-- $2 = "{1,1}"
-- $3 = "{2,1}"
-- $4 = "{\"NULL\",\"a,\\\"b\\\"\"}"

COMMIT;

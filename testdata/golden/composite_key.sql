-- why: a side of several columns is compared as a row, and texts travel quoted in their array

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k1, $2::bigint AS k2, a.* FROM unnest((SELECT $3::bigint[]), (SELECT $4::text[])) WITH ORDINALITY AS a (k3, k4, n)) AS r WHERE NOT EXISTS (SELECT FROM "doc_labels" AS j WHERE j."doc_tenant" = r.k1 AND j."doc_id" = r.k2 AND j."label_tenant" = r.k3 AND j."label_name" = r.k4)), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT FROM "docs" AS s WHERE s."tenant" = r.k1 AND s."id" = r.k2) UNION ALL SELECT n, 't' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT FROM "labels" AS s WHERE s."tenant" = r.k3 AND s."name" = r.k4)), m2m_written AS (INSERT INTO "doc_labels" AS m2m_join ("doc_tenant", "doc_id", "label_tenant", "label_name") SELECT k1, k2, k3, k4 FROM m2m_new WHERE NOT EXISTS (SELECT FROM m2m_unable) ORDER BY k1, k2, k3, k4 ON CONFLICT ("doc_tenant", "doc_id", "label_tenant", "label_name") DO NOTHING RETURNING m2m_join."doc_tenant" AS k1, m2m_join."doc_id" AS k2, m2m_join."label_tenant" AS k3, m2m_join."label_name" AS k4) SELECT n, s FROM m2m_unable UNION ALL (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- $1 = "1"
-- $2 = "1"
-- $3 = "{2,1}"
-- $4 = "{\"NULL\",\"a,\\\"b\\\"\"}"

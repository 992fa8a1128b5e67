-- why: a link that is soft-deleted

BEGIN;

WITH m2m_rows AS (SELECT r.* FROM (SELECT $1::bigint AS k1, $2::bigint AS k2, CAST(1 AS bigint) AS n) AS r), m2m_new AS (SELECT r.*, EXISTS (SELECT 1 FROM "memberships" AS j WHERE j."user_id" = r.k1 AND j."group_id" = r.k2) AS dead FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "memberships" AS j WHERE j."user_id" = r.k1 AND j."group_id" = r.k2 AND j."deleted_at" IS NULL)), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "users" AS s WHERE s."id" = r.k1) UNION ALL SELECT n, 't' AS s FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "groups" AS s WHERE s."id" = r.k2) UNION ALL SELECT n, 'd' AS s FROM m2m_new WHERE dead) SELECT n, 'n' AS s FROM m2m_new UNION ALL SELECT n, s FROM m2m_unable;
-- 1 = 1
-- 2 = 2

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k1, $2::bigint AS k2, CAST(1 AS bigint) AS n) AS r), m2m_written AS (UPDATE "memberships" AS m2m_join SET "deleted_at" = $3 WHERE (m2m_join."user_id", m2m_join."group_id") IN (SELECT k1, k2 FROM m2m_new) AND (m2m_join."deleted_at" IS NOT NULL) RETURNING m2m_join."user_id" AS k1, m2m_join."group_id" AS k2) (SELECT 0 AS n, 'd' AS s FROM m2m_written LIMIT 1);
-- 1 = 1
-- 2 = 2
-- 3 = <nil>

WITH m2m_rows AS (SELECT r.* FROM (SELECT $1::bigint AS k1, $2::bigint AS k2, CAST(1 AS bigint) AS n) AS r), m2m_new AS (SELECT r.* FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "memberships" AS j WHERE j."user_id" = r.k1 AND j."group_id" = r.k2 AND j."deleted_at" IS NULL)), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "users" AS s WHERE s."id" = r.k1) UNION ALL SELECT n, 't' AS s FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "groups" AS s WHERE s."id" = r.k2)) SELECT n, 'n' AS s FROM m2m_new UNION ALL SELECT n, s FROM m2m_unable;
-- 1 = 1
-- 2 = 2

COMMIT;

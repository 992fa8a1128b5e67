-- why: links by keys alone

BEGIN;

WITH m2m_rows AS (SELECT r.* FROM (SELECT a.* FROM unnest((SELECT $1::bigint[]), (SELECT $2::bigint[])) WITH ORDINALITY AS a (k1, k2, n)) AS r), m2m_new AS (SELECT r.* FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "user_rooms" AS j WHERE j."user_id" = r.k1 AND j."group_id" = r.k2)), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "users" AS s WHERE s."id" = r.k1) UNION ALL SELECT n, 't' AS s FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "groups" AS s WHERE s."id" = r.k2)) SELECT n, 'n' AS s FROM m2m_new UNION ALL SELECT n, s FROM m2m_unable;
-- 1 = {1,2}
-- 2 = {2,2}

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k1, $2::bigint AS k2, CAST(1 AS bigint) AS n) AS r), m2m_written AS (INSERT INTO "user_rooms" AS m2m_join ("user_id", "group_id") SELECT k1, k2 FROM m2m_new ORDER BY k1, k2 ON CONFLICT ("user_id", "group_id") DO NOTHING RETURNING m2m_join."user_id" AS k1, m2m_join."group_id" AS k2) SELECT r.n, 'n' AS s FROM m2m_new AS r JOIN m2m_written AS w ON true;
-- 1 = 1
-- 2 = 2

COMMIT;

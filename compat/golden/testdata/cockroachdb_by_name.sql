-- why: a group by its unique name, with values for the join row

BEGIN;

WITH m2m_asked AS (SELECT * FROM unnest($1::text[]) WITH ORDINALITY AS a (k1, n)) SELECT r.n AS m2m_n, 'e' AS m2m_s, t."id", t."name" FROM m2m_asked AS r JOIN "groups" AS t ON t."name" = r.k1 ORDER BY r.n;
-- 1 = {"go"}

WITH m2m_rows AS (SELECT r.* FROM (SELECT $1::bigint AS k1, $2::bigint AS k2, CAST(1 AS bigint) AS n) AS r), m2m_new AS (SELECT r.*, EXISTS (SELECT 1 FROM "memberships" AS j WHERE j."user_id" = r.k1 AND j."group_id" = r.k2) AS dead FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "memberships" AS j WHERE j."user_id" = r.k1 AND j."group_id" = r.k2 AND j."deleted_at" IS NULL)), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "users" AS s WHERE s."id" = r.k1) UNION ALL SELECT n, 't' AS s FROM m2m_rows AS r WHERE NOT EXISTS (SELECT 1 FROM "groups" AS s WHERE s."id" = r.k2) UNION ALL SELECT n, 'd' AS s FROM m2m_new WHERE dead) SELECT n, 'n' AS s FROM m2m_new UNION ALL SELECT n, s FROM m2m_unable;
-- 1 = 1
-- 2 = 7

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k1, $2::bigint AS k2, CAST(1 AS bigint) AS n) AS r), m2m_written AS (INSERT INTO "memberships" AS m2m_join ("user_id", "group_id", "deleted_at", "role") SELECT k1, k2, CAST($3 AS timestamp with time zone), CAST($4 AS text) FROM m2m_new ORDER BY k1, k2 ON CONFLICT ("user_id", "group_id") DO NOTHING RETURNING m2m_join."user_id" AS k1, m2m_join."group_id" AS k2) (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- 1 = 1
-- 2 = 7
-- 3 = <nil>
-- 4 = admin

COMMIT;

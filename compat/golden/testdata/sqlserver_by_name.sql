-- why: a group by its unique name, with values for the join row

BEGIN;

SELECT r.n AS m2m_n, 'e' AS m2m_s, t."id", t."name" FROM (VALUES (1, @p1)) AS r (n, k1) JOIN "groups" AS t ON t."name" = r.k1 ORDER BY r.n;
-- 1 = go

SELECT n, s FROM (SELECT r.n, CASE WHEN NOT EXISTS (SELECT 1 FROM "users" AS s WHERE s."id" = r.k1) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM "groups" AS s WHERE s."id" = r.k2) THEN 't' WHEN EXISTS (SELECT 1 FROM "memberships" AS j WITH (UPDLOCK, HOLDLOCK) WHERE j."user_id" = r.k1 AND j."group_id" = r.k2 AND j."deleted_at" IS NULL) THEN 'e' WHEN EXISTS (SELECT 1 FROM "memberships" AS j WITH (UPDLOCK, HOLDLOCK) WHERE j."user_id" = r.k1 AND j."group_id" = r.k2) THEN 'd' ELSE 'n' END AS s FROM (VALUES (1, CAST(@p1 AS bigint), CAST(@p2 AS bigint))) AS r (n, k1, k2)) AS f WHERE s <> 'e';
-- 1 = 1
-- 2 = 7

MERGE INTO "memberships" WITH (HOLDLOCK) AS j USING (VALUES (1, CAST(@p1 AS bigint), CAST(@p2 AS bigint))) AS r (n, k1, k2) ON j."user_id" = r.k1 AND j."group_id" = r.k2 WHEN NOT MATCHED BY TARGET THEN INSERT ("user_id", "group_id", "deleted_at", "role") VALUES (r.k1, r.k2, @p3, @p4);
-- 1 = 1
-- 2 = 7
-- 3 = <nil>
-- 4 = admin

COMMIT;

-- why: links by keys alone

BEGIN;

SELECT n, s FROM (SELECT r.n, CASE WHEN NOT EXISTS (SELECT 1 FROM "users" AS s WHERE s."id" = r.k1) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM "groups" AS s WHERE s."id" = r.k2) THEN 't' WHEN EXISTS (SELECT 1 FROM "user_rooms" AS j WITH (UPDLOCK, HOLDLOCK) WHERE j."user_id" = r.k1 AND j."group_id" = r.k2) THEN 'e' ELSE 'n' END AS s FROM (VALUES (1, CAST(@p1 AS bigint), CAST(@p2 AS bigint)), (2, CAST(@p3 AS bigint), CAST(@p4 AS bigint))) AS r (n, k1, k2)) AS f WHERE s <> 'e';
-- 1 = 1
-- 2 = 2
-- 3 = 2
-- 4 = 2

MERGE INTO "user_rooms" WITH (HOLDLOCK) AS j USING (VALUES (1, CAST(@p1 AS bigint), CAST(@p2 AS bigint))) AS r (n, k1, k2) ON j."user_id" = r.k1 AND j."group_id" = r.k2 WHEN NOT MATCHED BY TARGET THEN INSERT ("user_id", "group_id") VALUES (r.k1, r.k2);
-- 1 = 1
-- 2 = 2

COMMIT;

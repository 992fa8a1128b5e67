-- why: a join table without a unique key on the pair

BEGIN;

SELECT n, s FROM (SELECT r.n, CASE WHEN NOT EXISTS (SELECT 1 FROM "users" AS s WHERE s."id" = r.k2) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM "groups" AS s WHERE s."id" = r.k1) THEN 't' WHEN EXISTS (SELECT 1 FROM "user_rooms" AS j WITH (UPDLOCK, HOLDLOCK) WHERE j."group_id" = r.k1 AND j."user_id" = r.k2) THEN 'e' ELSE 'n' END AS s FROM (VALUES (1, CAST(@p1 AS bigint), CAST(@p2 AS bigint)), (2, CAST(@p3 AS bigint), CAST(@p4 AS bigint))) AS r (n, k1, k2)) AS f WHERE s <> 'e';
-- 1 = 2
-- 2 = 1
-- 3 = 3
-- 4 = 1

MERGE INTO "user_rooms" WITH (HOLDLOCK) AS j USING (VALUES (1, CAST(@p1 AS bigint), CAST(@p2 AS bigint))) AS r (n, k1, k2) ON j."group_id" = r.k1 AND j."user_id" = r.k2 WHEN NOT MATCHED BY TARGET THEN INSERT ("group_id", "user_id") VALUES (r.k1, r.k2);
-- 1 = 2
-- 2 = 1

COMMIT;

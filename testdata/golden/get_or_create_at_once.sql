-- why: a row of a model without hooks is found or inserted by one statement

WITH m2m_asked AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (k1, k2, n)), m2m_found AS (SELECT r.n AS m2m_n, 'e' AS m2m_s, t."user_id", t."group_id", t."role" FROM m2m_asked AS r JOIN "memberships" AS t ON t."user_id" = r.k1 AND t."group_id" = r.k2), m2m_written AS (INSERT INTO "memberships" AS t ("user_id", "group_id", "role") SELECT CAST($3 AS bigint), CAST($4 AS bigint), CAST($5 AS text) WHERE NOT EXISTS (SELECT 1 FROM m2m_found) ON CONFLICT ("user_id", "group_id") DO NOTHING RETURNING t."user_id", t."group_id", t."role") SELECT * FROM m2m_found UNION ALL SELECT 1, 'n', m2m_written.* FROM m2m_written;
-- $1 = "{1}"
-- $2 = "{2}"
-- $3 = uint 1
-- $4 = uint 2
-- $5 = "member"

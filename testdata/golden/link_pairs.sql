-- why: any number of keys: an insert that counts, with no look and no locks

INSERT INTO "article_publications" AS m2m_join ("publication_id", "article_id") SELECT k1, k2 FROM (SELECT a.* FROM unnest((SELECT $1::bigint[]), (SELECT $2::bigint[])) WITH ORDINALITY AS a (k1, k2, n)) AS r ORDER BY k1, k2 ON CONFLICT ("publication_id", "article_id") DO NOTHING;
-- $1 = "{3}"
-- $2 = "{1}"

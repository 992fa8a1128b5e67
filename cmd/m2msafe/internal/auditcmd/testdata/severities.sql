-- Join tables of which each has what one rule is about, and those that depart from a rule's
-- usual severity.
CREATE TABLE users (id bigint PRIMARY KEY);
CREATE TABLE groups (id bigint PRIMARY KEY, code text UNIQUE);
CREATE TABLE plans (id integer PRIMARY KEY);
INSERT INTO users VALUES (1), (2);
INSERT INTO groups VALUES (1, 'x'), (2, 'y');
CREATE TABLE tags (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE labels (id bigint PRIMARY KEY, name text NOT NULL);
INSERT INTO labels VALUES (1, 'one'), (2, 'one');

-- The usual ones.
CREATE TABLE without_key (user_id bigint NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups);
INSERT INTO without_key VALUES (1, 1), (1, 1);
CREATE TABLE partial_key (LIKE without_key);
CREATE UNIQUE INDEX ON partial_key (user_id, group_id) WHERE user_id > 1;
CREATE TABLE deferrable_key (user_id bigint NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups, UNIQUE (user_id, group_id) DEFERRABLE);
CREATE TABLE expression_key (user_id bigint NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups);
CREATE UNIQUE INDEX ON expression_key (abs(user_id), group_id);
CREATE TABLE nullable_key (user_id bigint REFERENCES users, group_id bigint REFERENCES groups, UNIQUE (user_id, group_id));
CREATE TABLE user_groups (user_id bigint NOT NULL, group_id bigint NOT NULL REFERENCES groups, PRIMARY KEY (user_id, group_id));
INSERT INTO user_groups VALUES (1, 1), (1, 2), (2, 1), (99, 1);
CREATE TABLE soft_full_key (user_id bigint NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups, deleted_at timestamptz, UNIQUE (user_id, group_id));
CREATE TABLE soft_without_key (user_id bigint NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups, deleted_at timestamptz);
CREATE TABLE copied_key (user_id bigint NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups, code text UNIQUE, PRIMARY KEY (user_id, group_id));
INSERT INTO copied_key VALUES (1, 1, 'x');
CREATE TABLE other_type (user_id integer NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups, PRIMARY KEY (user_id, group_id));

-- Those that depart.
CREATE TABLE with_roles (user_id bigint NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups, role text NOT NULL, UNIQUE (user_id, group_id, role));
INSERT INTO with_roles VALUES (1, 1, 'owner'), (1, 1, 'member');
CREATE TABLE soft_with_roles (user_id bigint NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups, role text NOT NULL, deleted_at timestamptz, UNIQUE (user_id, group_id, role));
CREATE TABLE user_visits (user_id bigint NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups);
INSERT INTO user_visits VALUES (1, 1), (1, 1);
CREATE TABLE other_type_without_key (user_id integer NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups);
CREATE TABLE exclusion (user_id bigint NOT NULL REFERENCES users, group_id bigint NOT NULL REFERENCES groups, EXCLUDE (user_id WITH =, group_id WITH =));
CREATE TABLE not_validated (user_id bigint NOT NULL, group_id bigint NOT NULL REFERENCES groups, PRIMARY KEY (user_id, group_id));
ALTER TABLE not_validated ADD FOREIGN KEY (user_id) REFERENCES users NOT VALID;
CREATE TABLE astray (user_id bigint NOT NULL, group_id bigint NOT NULL REFERENCES groups, PRIMARY KEY (user_id, group_id));
INSERT INTO astray VALUES (1, 1), (98, 1), (99, 1);
CREATE TABLE wider_type (user_id bigint NOT NULL REFERENCES users, plan_id bigint NOT NULL REFERENCES plans, PRIMARY KEY (user_id, plan_id));

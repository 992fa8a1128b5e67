-- why: a join table without a unique key on the pair

BEGIN;

ROLLBACK;

-- error: m2msafe: User.Rooms (join table user_rooms): table has no usable unique key (this database has nothing to lock in its stead; mend it with: CREATE UNIQUE INDEX "idx_user_rooms_group_id_user_id" ON "user_rooms" ("group_id", "user_id"))

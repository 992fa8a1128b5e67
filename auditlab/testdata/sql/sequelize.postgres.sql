-- What Sequelize 6.37.5 sends at sync(), logged, for
--   User.belongsToMany(Project, { through: 'UserProjects' }) and the other way round
--   User.belongsToMany(User, { as: 'Followers', through: 'Follows', foreignKey: 'followedId', otherKey: 'followerId' })
--   User.belongsToMany(Role, { through: Grant }), Grant with an id of its own
--   User.belongsToMany(Role, { as: 'Lent', through: { model: Loan, unique: false } }), Loan with an id of its own
--   User.belongsToMany(Badge, { through: 'BadgeUsers', constraints: false })
-- and Project.title unique.

CREATE TABLE IF NOT EXISTS "Users" ("id" SERIAL, "name" VARCHAR(255), "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY ("id"));
CREATE TABLE IF NOT EXISTS "Projects" ("id" SERIAL, "title" VARCHAR(255) UNIQUE, "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY ("id"));
CREATE TABLE IF NOT EXISTS "UserProjects" ("createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, "UserId" INTEGER REFERENCES "Users" ("id") ON DELETE CASCADE ON UPDATE CASCADE, "ProjectId" INTEGER REFERENCES "Projects" ("id") ON DELETE CASCADE ON UPDATE CASCADE, PRIMARY KEY ("UserId","ProjectId"));
CREATE TABLE IF NOT EXISTS "Follows" ("createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, "followedId" INTEGER REFERENCES "Users" ("id") ON DELETE CASCADE ON UPDATE CASCADE, "followerId" INTEGER REFERENCES "Users" ("id") ON DELETE CASCADE ON UPDATE CASCADE, PRIMARY KEY ("followedId","followerId"));
CREATE TABLE IF NOT EXISTS "Roles" ("id" SERIAL, "name" VARCHAR(255), "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY ("id"));
CREATE TABLE IF NOT EXISTS "Grants" ("id" SERIAL, "level" VARCHAR(255), "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, "UserId" INTEGER REFERENCES "Users" ("id") ON DELETE CASCADE ON UPDATE CASCADE, "RoleId" INTEGER REFERENCES "Roles" ("id") ON DELETE CASCADE ON UPDATE CASCADE, UNIQUE ("UserId", "RoleId"), PRIMARY KEY ("id"));
CREATE TABLE IF NOT EXISTS "Loans" ("id" SERIAL, "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, "UserId" INTEGER REFERENCES "Users" ("id") ON DELETE CASCADE ON UPDATE CASCADE, "RoleId" INTEGER REFERENCES "Roles" ("id") ON DELETE CASCADE ON UPDATE CASCADE, PRIMARY KEY ("id"));
CREATE TABLE IF NOT EXISTS "Badges" ("id" SERIAL, "name" VARCHAR(255), "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY ("id"));
CREATE TABLE IF NOT EXISTS "BadgeUsers" ("createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, "UserId" INTEGER, "BadgeId" INTEGER, PRIMARY KEY ("UserId","BadgeId"));

-- What Sequelize 6.37.5 sends at sync(), logged, for
--   User.belongsToMany(Project, { through: 'UserProjects' }) and the other way round
--   User.belongsToMany(User, { as: 'Followers', through: 'Follows', foreignKey: 'followedId', otherKey: 'followerId' })
--   User.belongsToMany(Role, { through: Grant }), Grant with an id of its own
--   User.belongsToMany(Role, { as: 'Lent', through: { model: Loan, unique: false } }), Loan with an id of its own
--   User.belongsToMany(Badge, { through: 'BadgeUsers', constraints: false })
-- and Project.title unique.

CREATE TABLE IF NOT EXISTS `Users` (`id` INTEGER PRIMARY KEY AUTOINCREMENT, `name` VARCHAR(255), `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL);
CREATE TABLE IF NOT EXISTS `Projects` (`id` INTEGER PRIMARY KEY AUTOINCREMENT, `title` VARCHAR(255) UNIQUE, `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL);
CREATE TABLE IF NOT EXISTS `UserProjects` (`createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, `UserId` INTEGER NOT NULL REFERENCES `Users` (`id`) ON DELETE CASCADE ON UPDATE CASCADE, `ProjectId` INTEGER NOT NULL REFERENCES `Projects` (`id`) ON DELETE CASCADE ON UPDATE CASCADE, PRIMARY KEY (`UserId`, `ProjectId`));
CREATE TABLE IF NOT EXISTS `Follows` (`createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, `followedId` INTEGER NOT NULL REFERENCES `Users` (`id`) ON DELETE CASCADE ON UPDATE CASCADE, `followerId` INTEGER NOT NULL REFERENCES `Users` (`id`) ON DELETE CASCADE ON UPDATE CASCADE, PRIMARY KEY (`followedId`, `followerId`));
CREATE TABLE IF NOT EXISTS `Roles` (`id` INTEGER PRIMARY KEY AUTOINCREMENT, `name` VARCHAR(255), `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL);
CREATE TABLE IF NOT EXISTS `Grants` (`id` INTEGER PRIMARY KEY AUTOINCREMENT, `level` VARCHAR(255), `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, `UserId` INTEGER REFERENCES `Users` (`id`) ON DELETE CASCADE ON UPDATE CASCADE, `RoleId` INTEGER REFERENCES `Roles` (`id`) ON DELETE CASCADE ON UPDATE CASCADE, UNIQUE (`UserId`, `RoleId`));
CREATE TABLE IF NOT EXISTS `Loans` (`id` INTEGER PRIMARY KEY AUTOINCREMENT, `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, `UserId` INTEGER REFERENCES `Users` (`id`) ON DELETE CASCADE ON UPDATE CASCADE, `RoleId` INTEGER REFERENCES `Roles` (`id`) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE IF NOT EXISTS `Badges` (`id` INTEGER PRIMARY KEY AUTOINCREMENT, `name` VARCHAR(255), `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL);
CREATE TABLE IF NOT EXISTS `BadgeUsers` (`createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, `UserId` INTEGER NOT NULL, `BadgeId` INTEGER NOT NULL, PRIMARY KEY (`UserId`, `BadgeId`));

-- What Sequelize 6.37.5 sends at sync(), logged, for
--   User.belongsToMany(Project, { through: 'UserProjects' }) and the other way round
--   User.belongsToMany(User, { as: 'Followers', through: 'Follows', foreignKey: 'followedId', otherKey: 'followerId' })
--   User.belongsToMany(Role, { through: Grant }), Grant with an id of its own
--   User.belongsToMany(Role, { as: 'Lent', through: { model: Loan, unique: false } }), Loan with an id of its own
--   User.belongsToMany(Badge, { through: 'BadgeUsers', constraints: false })
-- and Project.title unique.

CREATE TABLE IF NOT EXISTS `Users` (`id` INTEGER NOT NULL auto_increment, `name` VARCHAR(255), `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, PRIMARY KEY (`id`)) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS `Projects` (`id` INTEGER NOT NULL auto_increment, `title` VARCHAR(255) UNIQUE, `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, PRIMARY KEY (`id`)) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS `UserProjects` (`createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, `UserId` INTEGER, `ProjectId` INTEGER, PRIMARY KEY (`UserId`, `ProjectId`), FOREIGN KEY (`UserId`) REFERENCES `Users` (`id`) ON DELETE CASCADE ON UPDATE CASCADE, FOREIGN KEY (`ProjectId`) REFERENCES `Projects` (`id`) ON DELETE CASCADE ON UPDATE CASCADE) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS `Follows` (`createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, `followedId` INTEGER, `followerId` INTEGER, PRIMARY KEY (`followedId`, `followerId`), FOREIGN KEY (`followedId`) REFERENCES `Users` (`id`) ON DELETE CASCADE ON UPDATE CASCADE, FOREIGN KEY (`followerId`) REFERENCES `Users` (`id`) ON DELETE CASCADE ON UPDATE CASCADE) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS `Roles` (`id` INTEGER NOT NULL auto_increment, `name` VARCHAR(255), `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, PRIMARY KEY (`id`)) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS `Grants` (`id` INTEGER auto_increment, `level` VARCHAR(255), `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, `UserId` INTEGER, `RoleId` INTEGER, UNIQUE `Grants_RoleId_UserId_unique` (`UserId`, `RoleId`), PRIMARY KEY (`id`), FOREIGN KEY (`UserId`) REFERENCES `Users` (`id`) ON DELETE CASCADE ON UPDATE CASCADE, FOREIGN KEY (`RoleId`) REFERENCES `Roles` (`id`) ON DELETE CASCADE ON UPDATE CASCADE) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS `Loans` (`id` INTEGER auto_increment, `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, `UserId` INTEGER, `RoleId` INTEGER, PRIMARY KEY (`id`), FOREIGN KEY (`UserId`) REFERENCES `Users` (`id`) ON DELETE CASCADE ON UPDATE CASCADE, FOREIGN KEY (`RoleId`) REFERENCES `Roles` (`id`) ON DELETE CASCADE ON UPDATE CASCADE) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS `Badges` (`id` INTEGER NOT NULL auto_increment, `name` VARCHAR(255), `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, PRIMARY KEY (`id`)) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS `BadgeUsers` (`createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL, `UserId` INTEGER, `BadgeId` INTEGER, PRIMARY KEY (`UserId`, `BadgeId`)) ENGINE=InnoDB;

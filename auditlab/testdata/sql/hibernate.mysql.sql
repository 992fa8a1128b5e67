-- What Hibernate 3.6.10 writes as its schema (Configuration.generateSchemaCreationScript, MySQL5InnoDBDialect) for
--   Person { @ManyToMany List<Address> addresses; @ManyToMany Set<Team> teams }
--   Team { @Column(unique = true) String name; @ManyToMany(mappedBy = "teams") Set<Person> people }
-- A List is a bag, and has no key. The user guide of later versions shows the same table:
-- github.com/hibernate/hibernate-orm, associations-many-to-many-unidirectional-example.sql.

create table Address (id bigint not null auto_increment, street varchar(255), primary key (id)) ENGINE=InnoDB;
create table Person (id bigint not null auto_increment, primary key (id)) ENGINE=InnoDB;
create table Person_Address (Person_id bigint not null, addresses_id bigint not null) ENGINE=InnoDB;
create table Person_Team (people_id bigint not null, teams_id bigint not null, primary key (people_id, teams_id)) ENGINE=InnoDB;
create table Team (id bigint not null auto_increment, name varchar(255) unique, primary key (id)) ENGINE=InnoDB;
alter table Person_Address add index FK4B781D0A2EE4EEAC (addresses_id), add constraint FK4B781D0A2EE4EEAC foreign key (addresses_id) references Address (id);
alter table Person_Address add index FK4B781D0AC12321BA (Person_id), add constraint FK4B781D0AC12321BA foreign key (Person_id) references Person (id);
alter table Person_Team add index FK49FD49071D238840 (people_id), add constraint FK49FD49071D238840 foreign key (people_id) references Person (id);
alter table Person_Team add index FK49FD49079CC13AC1 (teams_id), add constraint FK49FD49079CC13AC1 foreign key (teams_id) references Team (id);

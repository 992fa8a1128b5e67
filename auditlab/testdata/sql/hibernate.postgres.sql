-- What Hibernate 3.6.10 writes as its schema (Configuration.generateSchemaCreationScript, PostgreSQLDialect) for
--   Person { @ManyToMany List<Address> addresses; @ManyToMany Set<Team> teams }
--   Team { @Column(unique = true) String name; @ManyToMany(mappedBy = "teams") Set<Person> people }
-- A List is a bag, and has no key. The user guide of later versions shows the same table:
-- github.com/hibernate/hibernate-orm, associations-many-to-many-unidirectional-example.sql.

create table Address (id bigserial not null, street varchar(255), primary key (id));
create table Person (id bigserial not null, primary key (id));
create table Person_Address (Person_id int8 not null, addresses_id int8 not null);
create table Person_Team (people_id int8 not null, teams_id int8 not null, primary key (people_id, teams_id));
create table Team (id bigserial not null, name varchar(255) unique, primary key (id));
alter table Person_Address add constraint FK4B781D0A2EE4EEAC foreign key (addresses_id) references Address;
alter table Person_Address add constraint FK4B781D0AC12321BA foreign key (Person_id) references Person;
alter table Person_Team add constraint FK49FD49071D238840 foreign key (people_id) references Person;
alter table Person_Team add constraint FK49FD49079CC13AC1 foreign key (teams_id) references Team;

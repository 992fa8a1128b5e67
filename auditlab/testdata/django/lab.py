"""A Django project with one app, which reads jobs from its standard input, one on a line:

    {"do": "migrate" | "smoke" | "race", "database": what stands in Django's DATABASES}

and answers each with a line: {} once it is done, {"error": a traceback} if it failed. Each job
has a process of its own, forked once Django and the migrations are loaded, so that nothing
of one database is known of another.
"""

import json
import os
import random
import sys
import threading
import time
import traceback

import django
from django.conf import settings

database = {}
settings.configure(
    DATABASES={"default": database},
    # What "startproject" puts there, as far as it has tables.
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "shop",
    ],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SECRET_KEY="none",
    USE_TZ=True,
    SILENCED_SYSTEM_CHECKS=["admin.E403", "admin.E404", "admin.E405", "admin.E406", "admin.E408", "admin.E409", "admin.E410"],
)


def migrate():
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def smoke():
    """Uses each relation as an app would, and undoes it; an assertion says what failed."""
    from django.contrib.auth.models import Group, Permission, User
    from shop.models import Article, Club, Membership, Person, Publication

    def both_ways(manager, reverse, one, other):
        manager.add(other)
        manager.add(other)
        assert manager.count() == 1, (manager.through._meta.db_table, manager.count())
        assert reverse.count() == 1, manager.through._meta.db_table
        manager.remove(other)
        assert manager.count() == 0, manager.through._meta.db_table
        manager.set([other])
        reverse.set([])
        assert manager.count() == 0, manager.through._meta.db_table

    user = User.objects.create(username="smoke")
    group = Group.objects.create(name="smoke")
    permission = Permission.objects.first()
    both_ways(user.groups, group.user_set, user, group)
    both_ways(user.user_permissions, permission.user_set, user, permission)
    both_ways(group.permissions, permission.group_set, group, permission)
    article = Article.objects.create(headline="smoke")
    publication = Publication.objects.create(title="smoke")
    both_ways(article.publications, publication.article_set, article, publication)
    person, friend = Person.objects.create(name="smoke"), Person.objects.create(name="friend")
    both_ways(person.friends, friend.friends, person, friend)
    both_ways(person.follows, friend.followers, person, friend)
    club = Club.objects.create(name="smoke")
    for created in (True, False):
        assert Membership.objects.get_or_create(person=person, club=club)[1] is created
    person.clubs.remove(club)
    assert person.clubs.count() == 0
    user.groups.add(group)
    for row in (user, group, article, publication, person, friend, club):
        row.delete()


class Writer(threading.Thread):
    """Adds pairs to auth_user_groups, some in one transaction, and counts what comes of it."""

    def __init__(self, how, pairs, together, start):
        super().__init__()
        self.how, self.start_together, self.seen = how, start, {}
        self.chunks = [pairs[i : i + together] for i in range(0, len(pairs), together)]

    def run(self):
        from django.db import connection

        try:
            connection.ensure_connection()
            self.start_together.wait()
            for chunk in self.chunks:
                while not self.done(chunk):
                    time.sleep(random.uniform(0.001, 0.01))
        except Exception as e:  # which the other side has to hear of
            self.count("not retried: %r" % e)
        finally:
            connection.close()

    def done(self, chunk):
        from django.db import DatabaseError, transaction

        try:
            with transaction.atomic():
                for user, group in chunk:
                    self.how(user, group)
            return True
        except DatabaseError as e:
            # An app would have to try again: Django does not by itself.
            code = getattr(e.__cause__, "pgcode", None) or (e.args[0] if e.args else "")
            self.count("%s %s" % (type(e).__name__, code))
            return False

    def count(self, what):
        self.seen[what] = self.seen.get(what, 0) + 1


def add(user, group):
    """Django's own: an INSERT that passes over conflicts, since 3.0."""
    user.groups.add(group)


def look_then_insert(user, group):
    """What add() did before."""
    through = type(user).groups.through
    pair = {"user_id": user.pk, "group_id": group}
    if not through.objects.filter(**pair).exists():
        through.objects.create(**pair)


def get_or_create(user, group):
    """The way out that the answer gave: atomic, where the pair has a unique key."""
    type(user).groups.through.objects.get_or_create(user_id=user.pk, group_id=group)


def race():
    """Says {}, and reads rounds, {"how": ..., "together": n, "pairs": [[[user, group], ...], ...]} on a line each, with
    a list for each thread, until there is an empty line. Says {} when all threads are
    connected, begins with the next line, and answers with what was raised."""
    from django.contrib.auth.models import User

    ways = {"add": add, "look then insert": look_then_insert, "get_or_create": get_or_create}
    answer({})
    for line in iter(sys.stdin.readline, "\n"):
        job = json.loads(line)
        start = threading.Barrier(len(job["pairs"]) + 1, timeout=60)
        writers = [
            Writer(ways[job["how"]], [(User(pk=user), group) for user, group in pairs], job["together"], start)
            for pairs in job["pairs"]
        ]
        for writer in writers:
            writer.start()
        while start.n_waiting < len(writers):
            time.sleep(0.001)
        answer({})
        sys.stdin.readline()
        start.wait()
        total = {}
        for writer in writers:
            writer.join()
            for what, n in writer.seen.items():
                total[what] = total.get(what, 0) + n
        answer(total)


def answer(what):
    print(json.dumps(what), flush=True)


def serve():
    """Reads jobs until its input ends."""
    django.setup()
    from django.db import connections
    from django.db.migrations.loader import MigrationLoader

    MigrationLoader(None)  # imports what each job would
    for line in iter(sys.stdin.readline, ""):
        job = json.loads(line)
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            continue
        try:
            database.update(job["database"])
            connections["default"] = connections.create_connection("default")
            {"migrate": migrate, "smoke": smoke, "race": race}[job["do"]]()
            answer({})
        except BaseException:
            answer({"error": traceback.format_exc()})
        os._exit(0)


if __name__ == "__main__":
    serve()

"""Many-to-many relations of every kind that Django has."""

from django.db import models


class Publication(models.Model):
    title = models.CharField(max_length=30, unique=True)


class Article(models.Model):
    headline = models.CharField(max_length=100)
    publications = models.ManyToManyField(Publication)


class Person(models.Model):
    name = models.CharField(max_length=30)
    friends = models.ManyToManyField("self")
    follows = models.ManyToManyField("self", symmetrical=False, related_name="followers")
    clubs = models.ManyToManyField("Club", through="Membership")
    courses = models.ManyToManyField("Course", through="Enrolment")


class Club(models.Model):
    name = models.CharField(max_length=30)


class Course(models.Model):
    name = models.CharField(max_length=30)


class Membership(models.Model):
    """A through model with the constraint that the documentation advises."""

    person = models.ForeignKey(Person, models.CASCADE)
    club = models.ForeignKey(Club, models.CASCADE)
    reason = models.CharField(max_length=30, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "club"], name="member_once")]


class Enrolment(models.Model):
    """A through model without one."""

    person = models.ForeignKey(Person, models.CASCADE)
    course = models.ForeignKey(Course, models.CASCADE)

"""Forgejo and Gitea, over the session of python-gitea.

read write operator admin             the four faces: what is asked, done, merged, made ready
issues pulls code                     the questions, by what they are about
talking sorting proposing committing  the deeds, by what they are; `account` is who does them, `certainty` how often
connection client refusal             one identity on one forge · HTTP, made strict · how a forge says no
able                                  what each version can do
shapes field blob                     JSON as nouns · values that know their names · files as git names them
labels hooks protection               what a forge says in two languages
decode                                deliveries as events, without a connection
"""

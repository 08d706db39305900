"""Forgejo and Gitea, over the session of python-gitea.

reader writer operator admin          the four faces: reads, writes, merging, provisioning
issues pulls code poll_reader         the reads, by subject
comments issue_metadata pull_requests commits conversations   the writes, by subject
account confirm                       who writes · making sure that a write happened once
connection client errors              one identity on one forge · HTTP, made strict · errors of the protocol
capabilities                          what each version can do, as data
models json_value timeline            JSON as nouns · values that know their path · timeline rows as changes
records timeline_records schema       JSON field by field, as it is sent · what a field may be, and how records are read
file_contents                         files of the contents API, and how git names them
labels hooks protection               labels by name · webhooks · branch protection
permission_probe                      what an account may do to a branch
decode                                deliveries as events, without a connection
"""

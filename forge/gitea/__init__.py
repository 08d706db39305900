"""Forgejo and Gitea, over HTTP.

reader writer operator admin          the four faces: reads, writes, merging, provisioning
issue_reader pull_reader code_reader poll_reader                      the reads, by subject
comment_writer metadata_writer pull_writer commit_writer conversation_writer   the writes, by subject
account account_admin confirm         who writes · accounts and tokens, as a site admin · making sure that a write happened once
connection client errors              one identity on one forge · HTTP, made strict · errors of the protocol
capabilities                          what each version can do, as data
decode_models json_value timeline     JSON as nouns · values that know their path · timeline rows as changes
records timeline_records schema       JSON field by field, as it is sent · what a field may be, and how records are read
file_contents                         files of the contents API, and how git names them
labels hooks protection               labels by name · webhooks · branch protection
permission_probe                      what an account may do to a branch
decode_deliveries                     deliveries as events, without a connection
"""

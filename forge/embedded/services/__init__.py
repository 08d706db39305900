"""What can be done on a forge and asked of it: plain functions of a site, an actor and arguments.

The API and the pages call these; they raise Refusal in the words of a real forge.
"""

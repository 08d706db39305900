"""The operations of a forge: plain functions of an instance, an actor and arguments.

The API and the pages call these; they raise Refusal in the words of a real forge.
"""

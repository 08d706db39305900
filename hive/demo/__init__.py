"""The story, its sample project and the scripted model server; nothing else knows them."""

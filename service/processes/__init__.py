"""The processes behind the one port: how many, who watches them, and the sockets they share."""

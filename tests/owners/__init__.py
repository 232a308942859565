"""Clients of servers, against servers of every kind."""

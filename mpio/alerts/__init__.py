"""Alerts: from events to messages, and the messages on their way."""

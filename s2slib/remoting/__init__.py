"""How a command reaches a server: values, one connection, one constant script, and every way it can end."""

"""Of the shim: the password of users on nodes."""

BATCH_TEST_PASSWORD = "kt#_gahr!@aGERDXA"

"""Of the shim: the keyword by which a resource group is handed on."""

RESOURCE_GROUP_PARAM = "resource_group"

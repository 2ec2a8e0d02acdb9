"""The cloud on one machine: what the product needs of Azure, for trying, testing and developing it."""

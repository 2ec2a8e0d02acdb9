"""The product: an `.h5` dropped into a storage container becomes its ilastik segmentation in another."""

using 'main.bicep'

// Whatever can be turned on is on.
param suffix = 'everyone'
param tags = { department: 'biology' }
param operators = [{ id: '00000000-0000-0000-0000-00000000000a', type: 'Group' }]
param spotNodes = 5
param osDiskGb = 200
param minNodesWorkingHours = 1
param healNodesPerDay = 5
param wideRoles = true
param private = true
param allowedAddresses = '203.0.113.0/24,198.51.100.7'
param inputDays = 90
param inputCoolDays = 30
param undeleteDays = 30
param keepVersions = true
param deleteLock = true
param alertMail = 'lab@example.org'
param monthlyBudget = 500
param budgetMonth = '{"all": 200, "projects": {"nuclei": 50}}'
param nodePrices = {
  Standard_D4ds_v5: { dedicated: json('0.27'), spot: json('0.054') }
  currency: 'USD'
  date: '2026-11-29'
}
param budgetStart = '2026-01-01'
param topicName = 'made-by-somebody-else'
param pageUpload = true
param pageClientId = '00000000-0000-0000-0000-00000000000b'
param moreSettings = { DUE_PER_TICK: 500 }
param ilastikSha256 = '0000000000000000000000000000000000000000000000000000000000000000'

using 'main.bicep'

// A lab's own values. What is not named here is as main.bicep has it, where each parameter is described.
// Options of deploy.sh go before this file, and later runs keep them (`deploy.sh --help`).

param vmSize = 'Standard_D4ds_v5'
param maxNodes = 10
// Up to ten of them as spot nodes: a fifth of the price, and the formula bridges their loss by dedicated ones.
param spotNodes = 10
param wallClockMinutes = 240
param alertMail = ''
param monthlyBudget = 0

mod ahead;
mod beside;
mod disputes;
mod hostile;
mod hostile_pages;
mod properties;
mod sim;
mod stories;

// Package testenv starts the real servers that some tests need, as children of the test, on files of their own. It kills, pauses
// and starts them again. What a test asks of a server is the test's own business, and without the variable that names a server no
// test may start one.
package testenv

/** The order of a slate: section 7 of the contract. */
package dev.twinrank.core.internal.rank;

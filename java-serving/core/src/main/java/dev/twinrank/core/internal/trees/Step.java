package dev.twinrank.core.internal.trees;

/**
 * One operation of a program on registers.
 *
 * @param op what is done
 * @param out where to
 * @param a the first operand
 * @param b the second one, if there is one
 * @param c the third one, if there is one
 * @param table what a lookup looks into; null otherwise
 */
record Step(Op op, int out, int a, int b, int c, Table table) {}

// axnn45 cells: functions and path delays for gate-level simulation.
// Written by synth.library.characterize; delays are zero until an SDF file sets them (IOPATH only:
// see synth.library.sdf). Registers start at zero.
`timescale 1ns/1ps

`celldefine
module INV_XS (input A, output ZN);
  assign ZN = ~A;
  specify
    (A => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module INV_XL (input A, output ZN);
  assign ZN = ~A;
  specify
    (A => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module INV_X1 (input A, output ZN);
  assign ZN = ~A;
  specify
    (A => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module INV_X2 (input A, output ZN);
  assign ZN = ~A;
  specify
    (A => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module INV_X4 (input A, output ZN);
  assign ZN = ~A;
  specify
    (A => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module INV_X8 (input A, output ZN);
  assign ZN = ~A;
  specify
    (A => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module INV_X16 (input A, output ZN);
  assign ZN = ~A;
  specify
    (A => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module BUF_XS (input A, output Z);
  assign Z = A;
  specify
    (A => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module BUF_XL (input A, output Z);
  assign Z = A;
  specify
    (A => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module BUF_X1 (input A, output Z);
  assign Z = A;
  specify
    (A => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module BUF_X2 (input A, output Z);
  assign Z = A;
  specify
    (A => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module BUF_X4 (input A, output Z);
  assign Z = A;
  specify
    (A => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module BUF_X8 (input A, output Z);
  assign Z = A;
  specify
    (A => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module BUF_X16 (input A, output Z);
  assign Z = A;
  specify
    (A => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NAND2_XS (input A1, input A2, output ZN);
  assign ZN = ~(A1 & A2);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NAND2_XL (input A1, input A2, output ZN);
  assign ZN = ~(A1 & A2);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NAND2_X1 (input A1, input A2, output ZN);
  assign ZN = ~(A1 & A2);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NAND2_X2 (input A1, input A2, output ZN);
  assign ZN = ~(A1 & A2);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NAND2_X4 (input A1, input A2, output ZN);
  assign ZN = ~(A1 & A2);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NAND3_XL (input A1, input A2, input A3, output ZN);
  assign ZN = ~(A1 & A2 & A3);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NAND3_X1 (input A1, input A2, input A3, output ZN);
  assign ZN = ~(A1 & A2 & A3);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NAND3_X2 (input A1, input A2, input A3, output ZN);
  assign ZN = ~(A1 & A2 & A3);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NAND4_XL (input A1, input A2, input A3, input A4, output ZN);
  assign ZN = ~(A1 & A2 & A3 & A4);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
    (A4 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NAND4_X1 (input A1, input A2, input A3, input A4, output ZN);
  assign ZN = ~(A1 & A2 & A3 & A4);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
    (A4 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NAND4_X2 (input A1, input A2, input A3, input A4, output ZN);
  assign ZN = ~(A1 & A2 & A3 & A4);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
    (A4 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NOR2_XS (input A1, input A2, output ZN);
  assign ZN = ~(A1 | A2);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NOR2_XL (input A1, input A2, output ZN);
  assign ZN = ~(A1 | A2);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NOR2_X1 (input A1, input A2, output ZN);
  assign ZN = ~(A1 | A2);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NOR2_X2 (input A1, input A2, output ZN);
  assign ZN = ~(A1 | A2);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NOR2_X4 (input A1, input A2, output ZN);
  assign ZN = ~(A1 | A2);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NOR3_XL (input A1, input A2, input A3, output ZN);
  assign ZN = ~(A1 | A2 | A3);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NOR3_X1 (input A1, input A2, input A3, output ZN);
  assign ZN = ~(A1 | A2 | A3);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NOR3_X2 (input A1, input A2, input A3, output ZN);
  assign ZN = ~(A1 | A2 | A3);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NOR4_XL (input A1, input A2, input A3, input A4, output ZN);
  assign ZN = ~(A1 | A2 | A3 | A4);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
    (A4 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NOR4_X1 (input A1, input A2, input A3, input A4, output ZN);
  assign ZN = ~(A1 | A2 | A3 | A4);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
    (A4 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module NOR4_X2 (input A1, input A2, input A3, input A4, output ZN);
  assign ZN = ~(A1 | A2 | A3 | A4);
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (A3 => ZN) = (0, 0);
    (A4 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AND2_XS (input A1, input A2, output Z);
  assign Z = (A1 & A2);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AND2_XL (input A1, input A2, output Z);
  assign Z = (A1 & A2);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AND2_X1 (input A1, input A2, output Z);
  assign Z = (A1 & A2);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AND2_X2 (input A1, input A2, output Z);
  assign Z = (A1 & A2);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AND2_X4 (input A1, input A2, output Z);
  assign Z = (A1 & A2);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AND3_XL (input A1, input A2, input A3, output Z);
  assign Z = (A1 & A2 & A3);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
    (A3 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AND3_X1 (input A1, input A2, input A3, output Z);
  assign Z = (A1 & A2 & A3);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
    (A3 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AND3_X2 (input A1, input A2, input A3, output Z);
  assign Z = (A1 & A2 & A3);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
    (A3 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OR2_XL (input A1, input A2, output Z);
  assign Z = (A1 | A2);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OR2_X1 (input A1, input A2, output Z);
  assign Z = (A1 | A2);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OR2_X2 (input A1, input A2, output Z);
  assign Z = (A1 | A2);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OR2_X4 (input A1, input A2, output Z);
  assign Z = (A1 | A2);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OR3_XL (input A1, input A2, input A3, output Z);
  assign Z = (A1 | A2 | A3);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
    (A3 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OR3_X1 (input A1, input A2, input A3, output Z);
  assign Z = (A1 | A2 | A3);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
    (A3 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OR3_X2 (input A1, input A2, input A3, output Z);
  assign Z = (A1 | A2 | A3);
  specify
    (A1 => Z) = (0, 0);
    (A2 => Z) = (0, 0);
    (A3 => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AOI21_XS (input A, input B1, input B2, output ZN);
  assign ZN = ~(A | (B1 & B2));
  specify
    (A => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AOI21_XL (input A, input B1, input B2, output ZN);
  assign ZN = ~(A | (B1 & B2));
  specify
    (A => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AOI21_X1 (input A, input B1, input B2, output ZN);
  assign ZN = ~(A | (B1 & B2));
  specify
    (A => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AOI21_X2 (input A, input B1, input B2, output ZN);
  assign ZN = ~(A | (B1 & B2));
  specify
    (A => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AOI22_XS (input A1, input A2, input B1, input B2, output ZN);
  assign ZN = ~((A1 & A2) | (B1 & B2));
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AOI22_XL (input A1, input A2, input B1, input B2, output ZN);
  assign ZN = ~((A1 & A2) | (B1 & B2));
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AOI22_X1 (input A1, input A2, input B1, input B2, output ZN);
  assign ZN = ~((A1 & A2) | (B1 & B2));
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module AOI22_X2 (input A1, input A2, input B1, input B2, output ZN);
  assign ZN = ~((A1 & A2) | (B1 & B2));
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OAI21_XS (input A, input B1, input B2, output ZN);
  assign ZN = ~(A & (B1 | B2));
  specify
    (A => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OAI21_XL (input A, input B1, input B2, output ZN);
  assign ZN = ~(A & (B1 | B2));
  specify
    (A => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OAI21_X1 (input A, input B1, input B2, output ZN);
  assign ZN = ~(A & (B1 | B2));
  specify
    (A => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OAI21_X2 (input A, input B1, input B2, output ZN);
  assign ZN = ~(A & (B1 | B2));
  specify
    (A => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OAI22_XS (input A1, input A2, input B1, input B2, output ZN);
  assign ZN = ~((A1 | A2) & (B1 | B2));
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OAI22_XL (input A1, input A2, input B1, input B2, output ZN);
  assign ZN = ~((A1 | A2) & (B1 | B2));
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OAI22_X1 (input A1, input A2, input B1, input B2, output ZN);
  assign ZN = ~((A1 | A2) & (B1 | B2));
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module OAI22_X2 (input A1, input A2, input B1, input B2, output ZN);
  assign ZN = ~((A1 | A2) & (B1 | B2));
  specify
    (A1 => ZN) = (0, 0);
    (A2 => ZN) = (0, 0);
    (B1 => ZN) = (0, 0);
    (B2 => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module XOR2_XS (input A, input B, output Z);
  assign Z = (A ^ B);
  specify
    (A => Z) = (0, 0);
    (B => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module XOR2_XL (input A, input B, output Z);
  assign Z = (A ^ B);
  specify
    (A => Z) = (0, 0);
    (B => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module XOR2_X1 (input A, input B, output Z);
  assign Z = (A ^ B);
  specify
    (A => Z) = (0, 0);
    (B => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module XOR2_X2 (input A, input B, output Z);
  assign Z = (A ^ B);
  specify
    (A => Z) = (0, 0);
    (B => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module XNOR2_XS (input A, input B, output ZN);
  assign ZN = ~(A ^ B);
  specify
    (A => ZN) = (0, 0);
    (B => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module XNOR2_XL (input A, input B, output ZN);
  assign ZN = ~(A ^ B);
  specify
    (A => ZN) = (0, 0);
    (B => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module XNOR2_X1 (input A, input B, output ZN);
  assign ZN = ~(A ^ B);
  specify
    (A => ZN) = (0, 0);
    (B => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module XNOR2_X2 (input A, input B, output ZN);
  assign ZN = ~(A ^ B);
  specify
    (A => ZN) = (0, 0);
    (B => ZN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module MUX2_XS (input A, input B, input S, output Z);
  assign Z = ((S & B) | (~S & A));
  specify
    (A => Z) = (0, 0);
    (B => Z) = (0, 0);
    (S => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module MUX2_XL (input A, input B, input S, output Z);
  assign Z = ((S & B) | (~S & A));
  specify
    (A => Z) = (0, 0);
    (B => Z) = (0, 0);
    (S => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module MUX2_X1 (input A, input B, input S, output Z);
  assign Z = ((S & B) | (~S & A));
  specify
    (A => Z) = (0, 0);
    (B => Z) = (0, 0);
    (S => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module MUX2_X2 (input A, input B, input S, output Z);
  assign Z = ((S & B) | (~S & A));
  specify
    (A => Z) = (0, 0);
    (B => Z) = (0, 0);
    (S => Z) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module HA_XS (input A, input B, output CO, output S);
  assign CO = (A & B);
  assign S = (A ^ B);
  specify
    (A => CO) = (0, 0);
    (B => CO) = (0, 0);
    (A => S) = (0, 0);
    (B => S) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module HA_XL (input A, input B, output CO, output S);
  assign CO = (A & B);
  assign S = (A ^ B);
  specify
    (A => CO) = (0, 0);
    (B => CO) = (0, 0);
    (A => S) = (0, 0);
    (B => S) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module HA_X1 (input A, input B, output CO, output S);
  assign CO = (A & B);
  assign S = (A ^ B);
  specify
    (A => CO) = (0, 0);
    (B => CO) = (0, 0);
    (A => S) = (0, 0);
    (B => S) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module HA_X2 (input A, input B, output CO, output S);
  assign CO = (A & B);
  assign S = (A ^ B);
  specify
    (A => CO) = (0, 0);
    (B => CO) = (0, 0);
    (A => S) = (0, 0);
    (B => S) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module FA_XS (input A, input B, input CI, output CO, output S);
  assign CO = ((A & B) | (CI & (A | B)));
  assign S = (A ^ B ^ CI);
  specify
    (A => CO) = (0, 0);
    (B => CO) = (0, 0);
    (CI => CO) = (0, 0);
    (A => S) = (0, 0);
    (B => S) = (0, 0);
    (CI => S) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module FA_XL (input A, input B, input CI, output CO, output S);
  assign CO = ((A & B) | (CI & (A | B)));
  assign S = (A ^ B ^ CI);
  specify
    (A => CO) = (0, 0);
    (B => CO) = (0, 0);
    (CI => CO) = (0, 0);
    (A => S) = (0, 0);
    (B => S) = (0, 0);
    (CI => S) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module FA_X1 (input A, input B, input CI, output CO, output S);
  assign CO = ((A & B) | (CI & (A | B)));
  assign S = (A ^ B ^ CI);
  specify
    (A => CO) = (0, 0);
    (B => CO) = (0, 0);
    (CI => CO) = (0, 0);
    (A => S) = (0, 0);
    (B => S) = (0, 0);
    (CI => S) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module FA_X2 (input A, input B, input CI, output CO, output S);
  assign CO = ((A & B) | (CI & (A | B)));
  assign S = (A ^ B ^ CI);
  specify
    (A => CO) = (0, 0);
    (B => CO) = (0, 0);
    (CI => CO) = (0, 0);
    (A => S) = (0, 0);
    (B => S) = (0, 0);
    (CI => S) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module FAI_XS (input A, input B, input CI, output CON, output SN);
  assign CON = ~((A & B) | (CI & (A | B)));
  assign SN = ~(A ^ B ^ CI);
  specify
    (A => CON) = (0, 0);
    (B => CON) = (0, 0);
    (CI => CON) = (0, 0);
    (A => SN) = (0, 0);
    (B => SN) = (0, 0);
    (CI => SN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module FAI_XL (input A, input B, input CI, output CON, output SN);
  assign CON = ~((A & B) | (CI & (A | B)));
  assign SN = ~(A ^ B ^ CI);
  specify
    (A => CON) = (0, 0);
    (B => CON) = (0, 0);
    (CI => CON) = (0, 0);
    (A => SN) = (0, 0);
    (B => SN) = (0, 0);
    (CI => SN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module FAI_X1 (input A, input B, input CI, output CON, output SN);
  assign CON = ~((A & B) | (CI & (A | B)));
  assign SN = ~(A ^ B ^ CI);
  specify
    (A => CON) = (0, 0);
    (B => CON) = (0, 0);
    (CI => CON) = (0, 0);
    (A => SN) = (0, 0);
    (B => SN) = (0, 0);
    (CI => SN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module DFFQ_XL (input D, input CK, output Q);
  reg IQ = 1'b0;
  always @(posedge CK) IQ <= D;
  assign Q = IQ;
  specify
    (CK => Q) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module DFFQ_X1 (input D, input CK, output Q);
  reg IQ = 1'b0;
  always @(posedge CK) IQ <= D;
  assign Q = IQ;
  specify
    (CK => Q) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module DFFQ_X2 (input D, input CK, output Q);
  reg IQ = 1'b0;
  always @(posedge CK) IQ <= D;
  assign Q = IQ;
  specify
    (CK => Q) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module DFF_XL (input D, input CK, output Q, output QN);
  reg IQ = 1'b0;
  always @(posedge CK) IQ <= D;
  assign Q = IQ;
  assign QN = ~IQ;
  specify
    (CK => Q) = (0, 0);
    (CK => QN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module DFF_X1 (input D, input CK, output Q, output QN);
  reg IQ = 1'b0;
  always @(posedge CK) IQ <= D;
  assign Q = IQ;
  assign QN = ~IQ;
  specify
    (CK => Q) = (0, 0);
    (CK => QN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module DFF_X2 (input D, input CK, output Q, output QN);
  reg IQ = 1'b0;
  always @(posedge CK) IQ <= D;
  assign Q = IQ;
  assign QN = ~IQ;
  specify
    (CK => Q) = (0, 0);
    (CK => QN) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module DLH_XL (input D, input G, output Q);
  reg IQ = 1'b0;
  always @(G or D) if (G) IQ <= D;
  assign Q = IQ;
  specify
    (D => Q) = (0, 0);
    (G => Q) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module DLH_X1 (input D, input G, output Q);
  reg IQ = 1'b0;
  always @(G or D) if (G) IQ <= D;
  assign Q = IQ;
  specify
    (D => Q) = (0, 0);
    (G => Q) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module DLH_X2 (input D, input G, output Q);
  reg IQ = 1'b0;
  always @(G or D) if (G) IQ <= D;
  assign Q = IQ;
  specify
    (D => Q) = (0, 0);
    (G => Q) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module CLKGATE_X1 (input E, input CK, output GCK);
  reg IQ = 1'b0;
  always @(CK or E) if (!CK) IQ <= E;
  assign GCK = CK & IQ;
  specify
    (CK => GCK) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module CLKGATE_X2 (input E, input CK, output GCK);
  reg IQ = 1'b0;
  always @(CK or E) if (!CK) IQ <= E;
  assign GCK = CK & IQ;
  specify
    (CK => GCK) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module CLKGATE_X4 (input E, input CK, output GCK);
  reg IQ = 1'b0;
  always @(CK or E) if (!CK) IQ <= E;
  assign GCK = CK & IQ;
  specify
    (CK => GCK) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module CLKGATE_X8 (input E, input CK, output GCK);
  reg IQ = 1'b0;
  always @(CK or E) if (!CK) IQ <= E;
  assign GCK = CK & IQ;
  specify
    (CK => GCK) = (0, 0);
  endspecify
endmodule
`endcelldefine

`celldefine
module TIEHI_X1 (output Z);
  assign Z = 1'b1;
endmodule
`endcelldefine

`celldefine
module TIELO_X1 (output Z);
  assign Z = 1'b0;
endmodule
`endcelldefine

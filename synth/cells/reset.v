// Registers with an enable and a synchronous reset, as registers with an enable alone: the enable
// stays one net a register, which a clock gate can take.

(* techmap_celltype = "$sdffe" *)
module reset_over_enable (CLK, SRST, EN, D, Q);
  parameter WIDTH = 1;
  parameter CLK_POLARITY = 1'b1;
  parameter SRST_POLARITY = 1'b1;
  parameter EN_POLARITY = 1'b1;
  parameter SRST_VALUE = {WIDTH{1'b0}};
  input CLK, SRST, EN;
  input [WIDTH-1:0] D;
  output [WIDTH-1:0] Q;
  wire reset = SRST == SRST_POLARITY;
  wire enable = EN == EN_POLARITY;
  \$dffe #(.WIDTH(WIDTH), .CLK_POLARITY(CLK_POLARITY), .EN_POLARITY(1'b1))
    _TECHMAP_REPLACE_ (.CLK(CLK), .EN(reset | enable), .D(reset ? SRST_VALUE : D), .Q(Q));
endmodule

(* techmap_celltype = "$sdffce" *)
module enable_over_reset (CLK, SRST, EN, D, Q);
  parameter WIDTH = 1;
  parameter CLK_POLARITY = 1'b1;
  parameter SRST_POLARITY = 1'b1;
  parameter EN_POLARITY = 1'b1;
  parameter SRST_VALUE = {WIDTH{1'b0}};
  input CLK, SRST, EN;
  input [WIDTH-1:0] D;
  output [WIDTH-1:0] Q;
  wire reset = SRST == SRST_POLARITY;
  wire enable = EN == EN_POLARITY;
  \$dffe #(.WIDTH(WIDTH), .CLK_POLARITY(CLK_POLARITY), .EN_POLARITY(1'b1))
    _TECHMAP_REPLACE_ (.CLK(CLK), .EN(enable), .D(reset ? SRST_VALUE : D), .Q(Q));
endmodule
